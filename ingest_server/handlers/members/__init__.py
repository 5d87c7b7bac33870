"""What lies inside another file: members of archives, attachments of mails. Each is read as a document of its own."""
