"""The JSON of ps and status: its schema, and that the check of it by the other tests is one."""
import copy
import json
import os
import re
import unittest

import schema
from clients import SCHEMA, SERVICE, ClientWorld

DOCS = os.path.join(os.path.dirname(__file__), "../../docs")


def example():
    with open(f"{DOCS}/json.md") as file:
        return json.loads(re.search(r"```json\n(.*?)```", file.read(), re.S).group(1))


class Json(ClientWorld):
    def test_the_documented_example_is_as_the_schema_says(self):
        self.assertEqual(schema.errors(example(), SCHEMA), [])
        self.assertEqual(schema.errors([example(), example()], SCHEMA), [])

    def test_what_is_missing_added_or_of_another_kind_is_found(self):
        one = example()
        wrong = [dict(one, pid="4702"), dict(one, pid=0), dict(one, state="sleeping"), dict(one, running=1),
                 dict(one, extra=1), dict(one, up_since="yesterday"), dict(one, command="redis-server"),
                 dict(one, holders=[{"pid": 1}]), dict(one, references={}), [1], "text"]
        for key in one:
            less = copy.copy(one)
            del less[key]
            wrong.append(less)
        for value in wrong:
            self.assertNotEqual(schema.errors(value, SCHEMA), [], value)

    def test_the_standards_own_check_agrees(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("no module jsonschema here")
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        jsonschema.validate(example(), SCHEMA)

    def test_every_state_and_field_is_explained(self):
        with open(f"{DOCS}/json.md") as file:
            text = file.read()
        service = SCHEMA["$defs"]["service"]["properties"]
        for word in [*service, *service["state"]["enum"], *SCHEMA["$defs"]["holder"]["properties"]]:
            self.assertRegex(text, f"[`\"]{word}[`\"]")

    def test_arguments_that_are_no_utf_8_do_not_break_it(self):
        client = self.client(b"\xff\xfe", b"a\xc3")
        client.hold(self.db, "sh", "-c", "exec \"$0\"", SERVICE, "gr\u00fcn")
        service = self.status(self.db)
        self.assert_as_documented(service)
        self.assertEqual(service["command"][-1], "grün")
        self.assertTrue(service["holders"][0]["command"].endswith(r"client '\xff\xfe' 'a\xc3'")
                        or service["holders"][0]["command"].endswith(r"client \xff\xfe a\xc3"), service["holders"])
        client.end()


if __name__ == "__main__":
    unittest.main()
