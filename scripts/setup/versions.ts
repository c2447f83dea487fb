/** The exact versions of what set-up makes. Raising one is an edit here and of the files that pin its parts. */
export const VERSIONS = {
  /** The Temporal command line with the development server 1.29.1; go/temporal/go.sum pins its modules. */
  temporal: '1.5.1',
  /** The time-skipping server for workflow tests; maven/sha256sums pins its parts. */
  testServer: '1.38.0',
  /** The S3 server of the tests; go/versitygw/go.sum pins its modules. */
  versitygw: '1.8.0',
  /** The emulator of AWS of the tests; python/moto.txt pins its packages. */
  moto: '5.2.5',
  /** The server of Google's interface of the tests; go/fake-gcs-server/go.sum pins its modules. */
  fakeGcs: '1.56.1',
} as const;
