"""A stranger's plugins: nothing here is known to accelbench but through its entry points."""
