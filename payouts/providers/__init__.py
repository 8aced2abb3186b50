"""The platforms: one module each, over one HTTP client. Connectors hold no policy."""
