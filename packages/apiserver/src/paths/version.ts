/** `/version`, in the shape of upstream's `version.Info`. kubectl warns when it is more than one minor away. */
export const versionInfo = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0+flotilla',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node ${process.version}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};
