"""Pages: what the site says, how it is finished, checked and cited."""
