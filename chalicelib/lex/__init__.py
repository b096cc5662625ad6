"""A code hook of Amazon Lex V2: what is on a picture, in a sentence."""
