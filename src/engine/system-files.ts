/** Whether a system file of this machine has changed. */
import { stat } from 'node:fs/promises';
import { listSystems } from '../system/index.ts';

/** What is registered, and when each file was written last: another text when anything of that has changed. */
export async function filesSignature(): Promise<string> {
  const systems = await listSystems();
  const facts = systems.map(async ({ name, path }) => {
    const found = await stat(path).catch(() => undefined);
    return [name, path, found?.mtimeMs, found?.size, found?.ino].join(' ');
  });
  return (await Promise.all(facts)).join('\n');
}
