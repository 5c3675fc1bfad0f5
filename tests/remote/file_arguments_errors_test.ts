import { same } from "../cases.ts";
import { FileError, fileErrorText } from "../../lib/remote/file_arguments.ts";

Deno.test("fileErrorText() has the path and the system's words, and no query", async () => {
  await same(
    ([text = "", code]: string[]) =>
      fileErrorText(Object.assign(new Error(text), code && { code }), "/named"),
    [
      [
        ["ENOENT: no such file or directory, open '/a/Not Found'", "ENOENT"],
        "/a/Not Found: no such file or directory",
      ],
      [["Permission denied (os error 13): readdir '/root'", "EACCES"], "/root: permission denied"],
      [
        ["Permission denied (os error 13): mkdir '/proc/self/fd/9/x'", "EACCES"],
        "/named: permission denied",
      ],
      [
        ["Invalid cross-device link (os error 18): rename '/A' -> '/b'"],
        "/A to /b: invalid cross-device link",
      ],
      [["No space left on device (os error 28)", "ENOSPC"], "/named: no space left on device"],
      [["Cannot GET http://h/x?token=secret"], "cannot get http://h/x?…"],
    ],
  );
});

Deno.test("FileError says of a name with replacement characters where it can be used", async () => {
  await same(
    (path: string) => new FileError(path, new Deno.errors.NotFound("no such file")).message,
    [
      ["/a", "/a: no such file"],
      [
        "/\ufffd",
        "/\ufffd: no such file (a name that is not UTF-8 can be used in a terminal only)",
      ],
    ],
  );
});
