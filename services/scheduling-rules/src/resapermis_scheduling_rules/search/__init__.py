"""What people search: slots and centres, found page by page, judged and written."""
