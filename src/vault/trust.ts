/** Who may sign: statements of the offline root, and the judgement of a signed record by them. */
import { HoldfastError } from '../failures.ts';
import { sshFingerprint } from '../seal/ssh-key.ts';
import type { Store } from '../stores/store.ts';
import { checkSignature, NAMESPACES, publicKeyIn, readRecord, type Namespace, type OpenedRecord } from './envelope.ts';
import { signerSchema, type SignerRole, type SignerStatement } from './formats.ts';
import { keysIn } from './listed.ts';
import { mapBounded } from './mutex.ts';

export interface TrustRoots {
  /** By fingerprint of the key they speak of. */
  readonly signers: ReadonlyMap<string, SignerStatement>;
  /** Statements that do not hold, with the reason: shown, never used. */
  readonly refused: readonly { readonly key: string; readonly why: string }[];
  /** The root they were judged by, where one was given. */
  readonly rootFingerprint?: string;
}

const EVERYTHING: readonly Namespace[] = Object.values(NAMESPACES).filter((one) => one !== NAMESPACES.signer);

/** What a role may claim. */
const CLAIMS: Record<SignerRole, readonly Namespace[]> = {
  capture: EVERYTHING,
  keeper: [
    NAMESPACES.tombstone,
    NAMESPACES.proof,
    NAMESPACES.capture,
    NAMESPACES.reading,
    NAMESPACES.quarantine,
    NAMESPACES.sweep,
    NAMESPACES.hold,
    NAMESPACES.report,
    NAMESPACES.audit,
  ],
  operator: EVERYTHING,
};

/**
 * Reads signers/ and keeps what the root signed for this vault. Without a root fingerprint every self-consistent
 * statement counts: then trust is only as good as the store's word.
 */
export async function readTrustRoots(
  store: Store,
  vaultId: string,
  rootFingerprint: string | undefined,
): Promise<TrustRoots> {
  const keys = await keysIn(store, 'signers/');
  const signers = new Map<string, SignerStatement>();
  const refused: { key: string; why: string }[] = [];
  const read = await mapBounded(keys, 8, async (key) => {
    try {
      return { key, statement: judgeStatement(key, await store.get(key), vaultId, rootFingerprint) };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      return { key, why: error.message };
    }
  });
  for (const one of read) {
    if (one.statement === undefined) refused.push({ key: one.key, why: one.why });
    else keepNewest(signers, one.statement);
  }
  return { signers, refused, ...(rootFingerprint === undefined ? {} : { rootFingerprint }) };
}

/**
 * The id of the vault by what the root has signed, which a damaged head cannot change; undefined when nothing signed by
 * this root is there.
 */
export async function vaultIdByRoot(store: Store, rootFingerprint: string): Promise<string | undefined> {
  for await (const { key } of store.list('signers/')) {
    try {
      const bytes = await store.get(key);
      const { vaultId } = readRecord(signerSchema, bytes, key).body;
      return judgeStatement(key, bytes, vaultId, rootFingerprint).vaultId;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    }
  }
  return undefined;
}

/** Judges one signed claim. Throws Untrusted with the reason. `at` is when the claim says it was made. */
export function checkClaim(
  roots: TrustRoots,
  record: OpenedRecord<{ readonly signer: string; readonly vaultId: string }>,
  options: { namespace: Namespace; vaultId: string; at: string },
): void {
  const { body } = record;
  if (body.vaultId !== options.vaultId) throw untrusted(`it belongs to the vault ${body.vaultId}`);
  const statement = roots.signers.get(body.signer);
  if (statement === undefined) {
    throw new HoldfastError('Untrusted', `the root has not admitted its signer ${body.signer}`, {
      details: { unknownSigner: body.signer },
    });
  }
  checkSignature(record, statement.publicKey, options.namespace);
  if (!CLAIMS[statement.role].includes(options.namespace)) {
    throw untrusted(`its signer ${statement.name} has the role ${statement.role}, which may not claim this`);
  }
  const at = Date.parse(options.at);
  if (at < Date.parse(statement.validFrom) || at > Date.parse(statement.validUntil)) {
    const span = `${statement.validFrom} to ${statement.validUntil}`;
    throw untrusted(`its signer ${statement.name} was admitted from ${span}, and it is of ${options.at}`);
  }
}

/** Throws Untrusted when the root has not admitted this key for capturing, now. `place` is for people. */
export function requireAdmitted(roots: TrustRoots, fingerprint: string, place: string): void {
  const statement = roots.signers.get(fingerprint);
  const now = Date.now();
  const why =
    statement === undefined
      ? (roots.refused[0]?.why ?? 'the root has not admitted it')
      : statement.role === 'keeper'
        ? `its role is ${statement.role}`
        : now > Date.parse(statement.validUntil) || now < Date.parse(statement.validFrom)
          ? `it was admitted from ${statement.validFrom} to ${statement.validUntil}`
          : undefined;
  if (why === undefined) return;
  throw new HoldfastError('Untrusted', `${place}: the signer ${fingerprint} may not capture: ${why}`, {
    hint: 'Admit the signer with the offline root key, or correct the root fingerprint in the system file.',
  });
}

/** What a statement of the root says, when it holds. Throws Untrusted, ObjectCorrupt, VaultFormat. */
export function judgeStatement(
  key: string,
  bytes: Uint8Array,
  vaultId: string,
  rootFingerprint: string | undefined,
): SignerStatement {
  const record = readRecord(signerSchema, bytes, key);
  const rootKey = publicKeyIn(record.signature);
  if (rootFingerprint !== undefined && sshFingerprint(rootKey) !== rootFingerprint) {
    throw untrusted(`${key} is signed by ${sshFingerprint(rootKey)}, and the root is ${rootFingerprint}`);
  }
  checkSignature(record, rootKey, NAMESPACES.signer);
  const { body } = record;
  if (body.vaultId !== vaultId) throw untrusted(`${key} speaks for the vault ${body.vaultId}`);
  if (key !== `signers/${body.n}.json`) throw untrusted(`${key} calls itself number ${body.n}`);
  return body;
}

function keepNewest(signers: Map<string, SignerStatement>, statement: SignerStatement): void {
  const fingerprint = sshFingerprint(statement.publicKey);
  const other = signers.get(fingerprint);
  if (other === undefined || other.n < statement.n) signers.set(fingerprint, statement);
}

function untrusted(why: string): HoldfastError {
  return new HoldfastError('Untrusted', why);
}
