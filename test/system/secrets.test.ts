import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveSecret } from '../../src/system/secrets.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-secrets-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const SECRET = 'hunter2-very-secret';

it('from the environment, a file and a command: the same text, without the trailing line break', async () => {
  const file = path.join(directory, 'key');
  await writeFile(file, `${SECRET}\n`, { mode: 0o600 });
  const warnings: string[] = [];
  const options = { environment: { KEY: SECRET }, onWarning: (text: string) => warnings.push(text) };
  expect(await resolveSecret({ env: 'KEY' }, options)).toBe(SECRET);
  expect(await resolveSecret({ file }, options)).toBe(SECRET);
  expect(await resolveSecret({ command: ['echo', SECRET] }, options)).toBe(SECRET);
  expect(warnings).toEqual([]);
});

it('a key file that others may read: used, with a warning that names the file and the remedy', async () => {
  const file = path.join(directory, 'open');
  await writeFile(file, SECRET);
  await chmod(file, 0o644);
  const warnings: string[] = [];
  await resolveSecret({ file }, { onWarning: (text) => warnings.push(text) });
  expect(warnings).toEqual([`the secret file ${file} can be read by others (mode 644): chmod 600 ${file}`]);
});

it('absent, empty, a directory, a failing command: SecretMissing with the place, never with the output', async () => {
  const empty = path.join(directory, 'empty');
  await writeFile(empty, '\n', { mode: 0o600 });
  const refs = [
    [{ env: 'NOT_SET' }, 'NOT_SET is not set'],
    [{ file: path.join(directory, 'none') }, 'does not exist'],
    [{ file: empty }, 'is empty'],
    [{ file: directory }, 'not a regular file'],
    [{ command: ['sh', '-c', `echo ${SECRET}; echo ${SECRET} >&2; exit 3`] }, 'failed (exit 3)'],
    [{ command: ['/no/such/program', SECRET] }, 'failed (ENOENT)'],
    [{ command: ['sh', '-c', `yes ${SECRET}`] }, 'too much output'],
  ] as const;
  for (const [ref, words] of refs) {
    const error = await resolveSecret(ref, { environment: {} }).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'SecretMissing' });
    expect(error?.message).toContain(words);
    expect(`${error?.message ?? ''}${String(error?.cause)}${JSON.stringify(error)}`).not.toContain(SECRET);
  }
});
