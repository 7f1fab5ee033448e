"""The built-in workloads: plugins like a stranger's."""
