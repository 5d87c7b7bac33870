"""What a job, an error, a caller and time are: the standard library only, imported by all, importing none."""
