/** The vault: what other rooms use of it. The format is specified in docs/FORMAT.md. */
export { SIGNER_ROLES, type SignerRole } from './formats.ts';
export {
  admitSigner,
  generateKeys,
  initVault,
  parseChunkIdKey,
  rootFingerprintOf,
  type InitVaultOptions,
  type SignerAdmission,
  type VaultKeySet,
} from './init.ts';
export { parseRecoveryKit, recoveryKit, type KitStore, type RecoveryKit } from './kit.ts';
export { openReaderVault, type ReaderVaultOptions } from './reader.ts';
export type * from './types.ts';
export {
  explainGaps,
  rangeText,
  readWalEnd,
  readWalInventory,
  type WalCluster,
  type WalGap,
  type WalInterval,
} from './wal/inventory.ts';
export { readHeldLogs, type HeldLogOptions } from './wal/held.ts';
export { WAL_BLOCK_BYTES, type WalPlace, type WalRange } from './wal/names.ts';
export { openWalSource, type ClosableWalSource, type WalReaderOptions } from './wal/reader.ts';
export { openWalWriter, type WalPiece, type WalWriter, type WalWriterOptions } from './wal/writer.ts';
export { openWriterVault, type WriterVaultOptions } from './writer.ts';
