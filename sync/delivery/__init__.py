"""Being told, the part that acts: reads the file of endpoints, sends, and writes down what came of it."""
