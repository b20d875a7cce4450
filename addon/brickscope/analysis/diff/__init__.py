"""What changes in meaning between two versions of a policy: by subject and operation, each with a call that proves it."""
