/** Who started an operation or answered it, by what the engine has recorded of the client that did. Pure. */

/** What the engine knows of a client is what the client calls itself; it is proof only where the engine authenticates. */
export interface Asker {
  /** A person's name; undefined when the client named none, as the UI does without a login. */
  readonly by?: string;
  /** The machine, when the client named it. */
  readonly from?: string;
  /** As it was recorded, whole. */
  readonly identity: string;
}

/** How Holdfast's own command line names itself to the engine. */
export const OWN_CLIENT = 'holdfast';

/** Before it stands the program: `holdfast:ana@laptop` and `temporal-cli:ana@laptop` are both ana on laptop. */
const PERSON = /^(?<program>[a-z][a-z-]*):(?<user>[^@:]+)@(?<host>.+)$/;
/**
 * What clients of Temporal's libraries call themselves by default: a process, which is nobody. Those in Go add a task queue,
 * which is empty for the command `temporal`: `4711@laptop@`.
 */
const PROCESS = /^\d+@(?<host>[^@]+)(?:@.*)?$/;

/** Another workflow, such as a schedule's, is named as the one who asked. */
export function askerOf(identity: string, parent?: string): Asker {
  if (parent !== undefined) return { by: parent, identity };
  const person = PERSON.exec(identity)?.groups;
  if (person !== undefined) {
    return { by: `${person['user'] ?? ''}@${person['host'] ?? ''}`, from: person['host'] ?? '', identity };
  }
  const host = PROCESS.exec(identity)?.groups?.['host'];
  if (host !== undefined) return { from: host, identity };
  return identity === '' ? { identity } : { by: identity, identity };
}

/** In few words, for people. */
export function askerText({ by, from, identity }: Asker): string {
  if (by !== undefined) return from === undefined || by.endsWith(`@${from}`) ? by : `${by} from ${from}`;
  return from === undefined
    ? `somebody (${identity === '' ? 'the client did not say who' : identity})`
    : `a program on ${from}`;
}
