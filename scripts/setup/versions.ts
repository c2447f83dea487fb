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
  /** The Temporal server of temporal-docker-compose.yml; go/temporal-server/go.sum pins its modules. */
  temporalServer: '1.31.0',
  /** The nearest to the UI of that file that the Go module proxy has; go/temporal-ui/go.sum pins its modules. */
  temporalUi: '2.50.1',
  /** Docker Compose, where the machine has none; go/docker-compose/go.sum pins its modules. */
  dockerCompose: '2.40.3',
  /** PostgreSQL 16.10 and npm, for images of the suite of the cluster; npm/cluster/package-lock.json pins them. */
  clusterPackages: '16.10-11.19.0',
} as const;
