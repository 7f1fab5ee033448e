"""The built-in backends: plugins like a stranger's."""
