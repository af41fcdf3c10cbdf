"""Tables and a page from run directories. Imports no torch: a report needs files only."""
