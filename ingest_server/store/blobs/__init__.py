"""Where large bytes live, addressed by their SHA-256."""
