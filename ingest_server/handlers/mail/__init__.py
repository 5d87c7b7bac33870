"""Readers of mail: messages as they travel (EML, mbox) and Outlook's own format."""
