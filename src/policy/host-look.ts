/** What a host says of itself when `monitor` asks it. Small JSON without secrets: it travels through a history. */

export interface DiskSeen {
  readonly path: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** For those who are not root. */
  readonly freeBytes: number;
}

/** Something that does not work, in words. */
export interface TroubleSeen {
  /** A component, a tool, a path. */
  readonly subject: string;
  readonly what: string;
  readonly hint: string;
}

/** A service of a Compose project, or a systemd unit, that is not up. */
export interface ServiceSeen extends TroubleSeen {
  /** Whose project it is of. */
  readonly component: string;
  /** RFC 3339, where it is known. */
  readonly since?: string;
}

export interface NotSeen {
  readonly subject: string;
  readonly why: string;
}

export interface HostLook {
  readonly host: string;
  /** The host's own clock. */
  readonly nowMs: number;
  readonly disks: readonly DiskSeen[];
  readonly disksUnseen: readonly NotSeen[];
  readonly components: readonly TroubleSeen[];
  /** Absent: said by a worker that did not look at them each. */
  readonly services?: readonly ServiceSeen[];
  /** Not asked: an operation holds them still, or the host is not allowed to. */
  readonly componentsUnseen: readonly NotSeen[];
  readonly tools: readonly TroubleSeen[];
  readonly rights: readonly TroubleSeen[];
  /** Components with what restores kept aside, long after its time. Absent: said by a look that does not see it. */
  readonly asides?: { readonly overdue: readonly TroubleSeen[]; readonly unseen: readonly NotSeen[] };
  /** Of a system with several sites. Absent: said by a look that does not see it. */
  readonly sites?: readonly TroubleSeen[];
  /** The host's own copy of the system file can't be used; absent where it can. */
  readonly file?: TroubleSeen;
}

/** One host: what it said, or why it said nothing. */
export interface HostSeen {
  readonly host: string;
  readonly look?: HostLook;
  readonly silent?: string;
  /** By the engine's clock; absent where no engine asked. */
  readonly askedAtMs?: number;
  readonly answeredAtMs?: number;
}
