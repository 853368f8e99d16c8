"""What `make chart` and `make lint` ask of charts/resapermis: it renders, and what is rendered is what the table of components says."""
