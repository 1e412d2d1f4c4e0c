"""Teaching labs: tasks over a world whose rules are drawn anew for each student, and what they are graded by.

`labfile` reads a lab, `draws` gives each student values of their own, `answers` judges, `workbook` keeps what
a student did, `submission` is the file that is handed in, `grading` makes the table of a class.
"""
