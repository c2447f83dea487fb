/** Which hosts this machine is, over all registered systems; and ports as people write them. */
import { HoldfastError } from '../failures.ts';
import { localHost } from '../system/home.ts';
import { fileTrouble } from '../policy/judge-file.ts';
import { knownSystems } from '../system/last-good.ts';

/**
 * By each file as it was before it became bad, if it is; one of which nothing is known is left out, and told to `say`.
 * Throws BadInput when no system is registered, BadSystemFile when no one can be read.
 */
export async function hostsOfThisMachine(say: (text: string) => void): Promise<string[]> {
  const registered = await knownSystems();
  if (registered.length === 0) {
    throw new HoldfastError('BadInput', 'no system is registered here, so there is no host to work for', {
      hint: 'Register a system file with `holdfast init <file>`, or name a host with --host.',
    });
  }
  for (const { name, fault } of registered) {
    if (fault !== undefined) say(`trouble  ${fileTrouble(name, fault, Date.now()).what}\n  try    ${fault.error.hint}`);
  }
  const systems = registered.flatMap(({ system }) => system ?? []);
  const [only] = registered;
  if (systems.length === 0 && only?.fault !== undefined) throw only.fault.error;
  return [...new Set(systems.map((system) => localHost(system)))];
}

export function portOption(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new HoldfastError('BadInput', `${option} ${text} is no port`, { hint: 'Write a number from 0 to 65535.' });
}
