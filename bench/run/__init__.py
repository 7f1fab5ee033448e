"""The parent's side of a run: plan, workers, journal, record. No framework, no plugin, no NumPy in here."""
