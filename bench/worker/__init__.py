"""The process that imports plugins and measures; the parent never does either."""
