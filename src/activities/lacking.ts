/** What a machine lacks to restore a system. Changes nothing. */
import { tell } from '../observe/told.ts';
import { lookAtHost } from '../status/host-look.ts';
import { resolveSecret, type System } from '../system/index.ts';
import type { HostContext } from './host-context.ts';

/** Of this machine: credentials, tools, rights, the engine of containers. In words; empty: nothing. */
export async function whatIsLacking(context: HostContext, system: System, signal: AbortSignal): Promise<string[]> {
  const { identity, signer, chunkIdKey } = system.keys;
  const lacking: string[] = [];
  for (const secret of [identity, signer, chunkIdKey]) {
    if (secret === undefined) lacking.push('the system file names no `keys.identity`: backups can not be read here');
    else await resolveSecret(secret).catch((error: unknown) => lacking.push(tell(error).message));
  }
  const own = system.components.filter(({ host }) => host === context.host);
  if (own.some(({ kind }) => kind === 'volume' || kind === 'compose')) {
    await context
      .docker()
      .version()
      .catch((error: unknown) => lacking.push(tell(error).message));
  }
  signal.throwIfAborted();
  if (lacking.length > 0) return lacking;
  const { tools, rights } = await lookAtHost(system, context.host, { signal, docker: () => context.docker() });
  return [...tools, ...rights].map(({ what }) => what);
}
