"""LDVAE, the first model family: scvi-tools' LinearSCVI, trained several times as fast."""
