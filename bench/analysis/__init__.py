"""From records to figures: trials pooled into cases, cases into rows of devices. No words, no pictures."""
