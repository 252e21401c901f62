"""From results to the book: panels, values, notebooks, records, pages, site."""
