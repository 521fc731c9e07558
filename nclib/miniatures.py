"""Small trainings on digits, in full batches, with any optimizer."""
