"""The Vercel integration."""
