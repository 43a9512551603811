// What the inputs and the job's variables mean: for Larder, and for turbo.

// What Larder reads besides its own variables. Nothing else of the job's is its business, its tokens least of all;
// by the last one the runner finds what a job has left behind.
const PASSED = [
  'PATH', 'HOME', 'TURBO_API', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY',
  'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'RUNNER_TRACKING_ID',
];

const PROXIES = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];

/** The `LARDER_` variables of the input `config`. */
export function parseConfig(text) {
  const variables = {};
  for (const line of text.split('\n').map((line) => line.trim())) {
    if (!line || line.startsWith('#')) continue;
    const [, name, value] = /^(LARDER_[A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (!name) throw new Error(`\`config\` takes LARDER_KEY=value in a line each, and this is none: ${line}`);
    variables[name] = value;
  }
  return variables;
}

/** The environment that Larder starts in; what it must put elsewhere for a while goes into `folder`. */
export function larderEnvironment(config, { token }, job, folder) {
  const own = Object.entries(job).filter(([name]) => PASSED.includes(name) || name.startsWith('LARDER_'));
  const environment = { ...Object.fromEntries(own), TMPDIR: folder, ...config };
  // By whether there is a token it knows before whom to stand; which one is not its business.
  if (token || job.TURBO_TOKEN) environment.TURBO_TOKEN = 'set';
  return environment;
}

/** What later steps are to find in their environment, so that turbo comes to `api`. */
export function turboVariables(api, { token, team }, job) {
  const variables = { TURBO_API: api };
  if (token) variables.TURBO_TOKEN = token;
  if (team) variables[team.startsWith('team_') ? 'TURBO_TEAMID' : 'TURBO_TEAM'] = team;
  if (PROXIES.some((name) => job[name])) {
    // No proxy leads to this machine.
    const before = job.no_proxy || job.NO_PROXY;
    // All hosts; to some programs only where it stands alone.
    const spared = before === '*' ? before : [before, '127.0.0.1'].filter(Boolean).join(',');
    Object.assign(variables, { NO_PROXY: spared, no_proxy: spared });
  }
  return variables;
}
