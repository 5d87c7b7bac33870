"""Who may call, and how much: credentials become a `Caller`, tenants have quotas."""
