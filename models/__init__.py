"""What to prefer: the training environment, training, evaluation and the policy's files."""
