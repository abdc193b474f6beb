// What to do where there is no WebGPU: by browser, and for pages that are not served securely.

export interface HelpStep {
  title: string;
  text: string;
}

/** Software adapters name themselves in one of these ways. */
export function isSoftwareAdapter(device: { vendor: string; architecture: string; description: string }): boolean {
  return /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i.test(`${device.vendor} ${device.architecture} ${device.description}`);
}

const INSECURE: HelpStep = {
  title: "This address is not secure",
  text: "Browsers offer WebGPU only on https and on localhost. Open the page through localhost on this machine, or serve it with https.",
};

const FIREFOX: HelpStep = {
  title: "Firefox",
  text: "WebGPU is on in Firefox 141 and later on Windows, and 145 and later on Macs with Apple chips. Elsewhere try Firefox Nightly, or Chrome or Edge.",
};
const SAFARI: HelpStep = {
  title: "Safari",
  text: "WebGPU needs Safari 26 (macOS 26, iOS 26) or later. With an older one, try Chrome or Edge.",
};
const LINUX: HelpStep = {
  title: "Chrome or Edge on Linux",
  text: "Start the browser with --enable-unsafe-webgpu --enable-features=Vulkan, and look at chrome://gpu whether WebGPU is available.",
};
const ANDROID: HelpStep = { title: "Chrome on Android", text: "WebGPU needs Android 12 and Chrome 121 or later." };
const CHROMIUM: HelpStep = {
  title: "Chrome or Edge",
  text: "Use version 113 or later, and switch on Settings, System, “Use graphics acceleration when available”. chrome://gpu says what is missing.",
};

/**
 * The advice that fits a browser, the likeliest first.
 * @param userAgent `navigator.userAgent`
 * @param secure `isSecureContext`
 */
export function webgpuHelp(userAgent: string, secure: boolean): HelpStep[] {
  const own = browserHelp(userAgent);
  return secure ? own : [INSECURE, ...own];
}

function browserHelp(userAgent: string): HelpStep[] {
  if (/Firefox\//.test(userAgent)) return [FIREFOX, CHROMIUM];
  if (/Android/.test(userAgent)) return [ANDROID];
  if (/Chrome\/|Chromium\//.test(userAgent)) return /Linux/.test(userAgent) ? [LINUX, CHROMIUM] : [CHROMIUM];
  return [SAFARI, CHROMIUM];
}

/** Adapters that share the processor's chip, as far as their names tell. Laptops that have one often have a faster one beside it. */
export function isIntegratedAdapter({
  vendor,
  architecture,
  description,
}: {
  vendor: string;
  architecture: string;
  description: string;
}): boolean {
  if (/intel/i.test(vendor)) return !/xe-hpg|xe2-hpg|arc/i.test(`${architecture} ${description}`);
  return /radeon\(tm\) graphics|radeon vega|\bapu\b/i.test(description);
}

/** How a machine with two graphics chips is made to give the faster one, by system. */
export function fasterAdapterHelp(userAgent: string): string {
  if (/Windows/.test(userAgent))
    return "Settings, System, Display, Graphics: add the browser, choose “High performance”, and start it again.";
  if (/Mac OS X/.test(userAgent))
    return "System Settings, Battery, Options: switch “Automatic graphics switching” off, and reload the page.";
  return "Start the browser with DRI_PRIME=1 (Mesa) or __NV_PRIME_RENDER_OFFLOAD=1 (NVIDIA) in its environment.";
}
