"""Days versus hours: the time of a whole project, computed from measured rates."""
