"""What is said of taggers afterwards: how tree-like each jet is, and who tags which jets better."""
