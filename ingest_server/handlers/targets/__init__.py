"""Where the task store writes: databases, folders and S3, in several formats; each document whole or not at all."""
