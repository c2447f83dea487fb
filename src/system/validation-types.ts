/** What must hold of a system that runs, after loading: sections `checks`, `reconcile` and `objectives`. */
import type { Tier } from './types.ts';

/** A value that a query or a page can be compared with. */
export type Plain = string | number | boolean | null;

export interface HttpProbe {
  readonly kind: 'http';
  readonly url: string;
  /** The Compose service that listens there: host and port are those of its container, wherever it is reached at present. */
  readonly service?: string;
  /** Absent: any of 200 to 299. */
  readonly status?: number;
  /** By path into the body, dots between keys and indices. */
  readonly json: Readonly<Record<string, Plain>>;
  /** A text that the body holds. */
  readonly contains?: string;
}

/** One query whose one value is compared. */
export interface SqlProbe {
  readonly kind: 'sql';
  /** Of the kind `postgres` or `sqlite`. */
  readonly component: string;
  readonly query: string;
  /** PostgreSQL; absent: the only database of the component, or the maintenance database. */
  readonly database?: string;
  readonly equals?: Plain;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** The value is neither null nor an empty text. */
  readonly notEmpty?: true;
}

export interface CommandProbe {
  readonly kind: 'command';
  readonly command: readonly string[];
  /** A Compose service, in whose container it runs; absent: on the host. */
  readonly service?: string;
  /** On the host: it asks only what its environment names, so that a drill may run it, too. */
  readonly inDrills: boolean;
}

interface Validation {
  readonly name: string;
  /** The host whose worker asks. */
  readonly host: string;
  /** Pages and queries are asked until they hold, a command may run, for so long. */
  readonly withinSeconds: number;
}

export interface SystemCheck extends Validation {
  readonly probe: HttpProbe | SqlProbe | CommandProbe;
  /** What it means when it does not hold. */
  readonly severity: 'fatal' | 'warning';
}

/** The restored state against an outside truth. A query answers with a row for each difference: name, expected, found. */
export interface Reconciliation extends Validation {
  readonly probe: CommandProbe | Pick<SqlProbe, 'kind' | 'component' | 'query' | 'database'>;
}

/** How soon the system, its tiers and single components have to be back. The strictest that is written counts. */
export interface Objectives {
  readonly rtoSeconds?: number;
  readonly tiers: Readonly<Partial<Record<Tier, number>>>;
  readonly components: Readonly<Record<string, number>>;
}
