#!/bin/sh
# lint.sh PAGE...: mandoc's warnings and errors. 77 (skipped) where there is no mandoc; tools/setup.sh ci installs it.
command -v mandoc >/dev/null || {
    echo "skipped: no mandoc here (Debian and Ubuntu: mandoc)"
    exit 77
}
# To standard error go notes on the list of this machine's own pages.
mandoc -T lint -W warning "$@" 2>/dev/null || exit
# mandoc takes it, and prints one quotation of all words and commas.
! grep -nE '^\.(Pq )?[DS]q .* , .' "$@"
