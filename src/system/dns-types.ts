/** The names that a failover leads elsewhere, as the system file describes them, after loading. */
import type { DnsType } from './dns-schema.ts';
import type { SecretRef } from './types.ts';

export type { DnsType } from './dns-schema.ts';

/** An AWS resource instead of values; its TTL is AWS's own. */
export interface DnsAlias {
  /** The hosted zone of the target, not of the record. */
  readonly zone: string;
  readonly name: string;
  readonly evaluateTargetHealth: boolean;
}

export type DnsHeld = { readonly values: readonly string[] } | { readonly alias: DnsAlias };

interface RecordBase {
  readonly name: string;
  readonly type: DnsType;
}

/** One record set, which holds what the active site has. */
export interface SimpleRecord extends RecordBase {
  readonly routing: 'simple';
  /** Of values; an alias has none. */
  readonly ttlSeconds: number;
  readonly sites: Readonly<Record<string, DnsHeld>>;
}

/** One record set for each site, which stay as they are but for their weights: the active one has it, the others 0. */
export interface WeightedRecord extends RecordBase {
  readonly routing: 'weighted';
  readonly weight: number;
  /** The set identifier of each. */
  readonly sites: Readonly<Record<string, string>>;
}

/** Two record sets that stay as they are but for their roles: the active one is PRIMARY. */
export interface FailoverRecord extends RecordBase {
  readonly routing: 'failover';
  readonly sites: Readonly<Record<string, string>>;
}

export type DnsRecord = SimpleRecord | WeightedRecord | FailoverRecord;

/** Whom to ask what a name leads to. */
export interface DnsAsked {
  /** `address` or `address:port`; empty: those of this machine. */
  readonly resolvers: readonly string[];
  /** `host` or `host:port`; empty: those that the zone is delegated to. */
  readonly nameservers: readonly string[];
  /** So long the authoritative servers may take to answer as they should. */
  readonly answeredWithinSeconds: number;
}

/** How the control plane is reached. */
export interface Route53Access {
  readonly zone: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly caFile?: string;
  /** Without these the AWS SDK's own credential chain is used. */
  readonly accessKeyId?: SecretRef;
  readonly secretAccessKey?: SecretRef;
}

export interface Route53Entry extends Route53Access, DnsAsked {
  readonly kind: 'route53';
  readonly records: readonly DnsRecord[];
  /** So long a change may stay PENDING. */
  readonly inSyncWithinSeconds: number;
}

/** What the standby writes for the switch to be on, and removes for it to be off. */
export type DnsSwitch =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'store'; readonly store: string; readonly key: string }
  | {
      readonly kind: 'command';
      readonly on: readonly string[];
      readonly off: readonly string[];
      readonly timeoutSeconds: number;
    };

/** What Route 53's checkers ask. It is inverted: while nothing is there, the primary is healthy. */
export interface SwitchCheck {
  readonly url: string;
  /** Must be in the answer's first 5120 bytes. */
  readonly search?: string;
  readonly intervalSeconds: 10 | 30;
  readonly failureThreshold: number;
}

export interface Route53HealthEntry extends Route53Access, DnsAsked {
  readonly kind: 'route53-health';
  readonly primary: string;
  readonly standby: string;
  readonly switch: DnsSwitch;
  readonly check: SwitchCheck;
  readonly records: readonly SimpleRecord[];
}

export interface DnsCommandEntry {
  readonly kind: 'command';
  /** For people: what it changes. */
  readonly name: string;
  readonly read?: readonly string[];
  readonly change: readonly string[];
  readonly verify?: readonly string[];
  readonly timeoutSeconds: number;
  readonly ttlSeconds: number;
  /** Variables for the commands, such as a token. */
  readonly secrets: Readonly<Record<string, SecretRef>>;
}

export type DnsEntry = Route53Entry | Route53HealthEntry | DnsCommandEntry;
