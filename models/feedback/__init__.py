"""What a person's answers teach: the data set, the acceptance model, the gate over a policy."""
