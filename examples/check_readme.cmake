# The README's C block must be the example that is compiled, to the letter.
file(READ "${README}" readme)
file(READ "${EXAMPLE}" example)
string(FIND "${readme}" "```c\n${example}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "The C block of ${README} is not ${EXAMPLE}: copy the file into the README again.")
endif()
