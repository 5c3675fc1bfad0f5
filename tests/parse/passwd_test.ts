import { assertEquals } from "@std/assert";
import { accountNames, findAccount, groupsOf } from "../../lib/parse/passwd.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/bash
# a comment:x:1:1::/:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
toor:x:0:0::/root:/bin/csh
broken:x:7
long:x:8:8::/:/bin/sh:more
+::::::
agent:x:997:997:Komari Agent,,,:/nonexistent:
`;

Deno.test("findAccount() gives name, home and shell of the first account with the uid, and returns undefined for an unknown uid or a malformed line", () => {
  assertEquals(findAccount(PASSWD, 0), { name: "root", home: "/root", shell: "/bin/bash" });
  assertEquals(findAccount(PASSWD, 997), { name: "agent", home: "/nonexistent", shell: "" });
  for (const uid of [2, 7, 8, -1, NaN]) assertEquals(findAccount(PASSWD, uid), undefined);
  assertEquals(findAccount("", 0), undefined);
});

Deno.test("accountNames() reads names by number from passwd and group alike, and ignores lines of another shape", () => {
  const passwd =
    "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nme:x:1000:100:,,,:/home/me:\n";
  assertEquals([...accountNames(passwd)], [[0, "root"], [1000, "me"]]);
  assertEquals([...accountNames("root:x:0:\nusers:x:100:me,you\n")], [[0, "root"], [100, "users"]]);
  const text =
    "\n# comment\n+::::::\n:x:5:\nname\nname:x\nname:x:\nname:x:-1:\nname:x:1e3:\nx:y:007:\n";
  assertEquals([...accountNames(text)], [[7, "x"]]);
});

Deno.test("groupsOf() gives the numbers of a user and of its groups, its own first", () => {
  const groups = "root:x:0:\nadm:x:4:syslog,agent\nagent:x:997:\nbroken\nagents:x:5:agent2\n";
  const of = (user: string) => groupsOf(user, { passwd: PASSWD, groups });
  assertEquals(of("agent"), { uid: 997, gids: [997, 4] });
  assertEquals(of("root"), { uid: 0, gids: [0] });
  for (const user of ["none", "broken", "", "+"]) assertEquals(of(user), undefined, user);
});
