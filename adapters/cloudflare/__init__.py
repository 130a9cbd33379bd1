"""The Cloudflare integration."""
