"""Readers of labelled images: MedMNIST's npz, HAM10000's folder, a folder per class, a folder and a table of your own."""
