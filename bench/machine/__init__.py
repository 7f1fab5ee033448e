"""What this machine is, what it gives us, and what it is doing."""
