"""The parts of Firefox's telemetry environment that may be shown: what the client block is known to hold.

The client decides what it sends, so keys that are not listed stay hidden from the public.
"""

from __future__ import annotations

from processing.schema.field import ANY_KEY, Permission, Shape

PUBLIC = Permission.PUBLIC

TELEMETRY_ENVIRONMENT: Shape = {
    "addons": {
        "activeAddons": {
            ANY_KEY: {
                "appDisabled": PUBLIC,
                "blocklisted": PUBLIC,
                "description": PUBLIC,
                "foreignInstall": PUBLIC,
                "hasBinaryComponents": PUBLIC,
                "installDay": PUBLIC,
                "isSystem": PUBLIC,
                "isWebExtension": PUBLIC,
                "multiprocessCompatible": PUBLIC,
                "name": PUBLIC,
                "scope": PUBLIC,
                "signedState": PUBLIC,
                "type": PUBLIC,
                "updateDay": PUBLIC,
                "userDisabled": PUBLIC,
                "version": PUBLIC,
            }
        },
        "activeGMPlugins": {
            ANY_KEY: {"applyBackgroundUpdates": PUBLIC, "userDisabled": PUBLIC, "version": PUBLIC}
        },
        "activePlugins": [
            {
                "blocklisted": PUBLIC,
                "clicktoplay": PUBLIC,
                "description": PUBLIC,
                "disabled": PUBLIC,
                "mimeTypes": [PUBLIC],
                "name": PUBLIC,
                "updateDay": PUBLIC,
                "version": PUBLIC,
            }
        ],
        "theme": {
            "appDisabled": PUBLIC,
            "blocklisted": PUBLIC,
            "description": PUBLIC,
            "foreignInstall": PUBLIC,
            "hasBinaryComponents": PUBLIC,
            "id": PUBLIC,
            "installDay": PUBLIC,
            "name": PUBLIC,
            "scope": PUBLIC,
            "updateDay": PUBLIC,
            "userDisabled": PUBLIC,
            "version": PUBLIC,
        },
    },
    "build": {
        "applicationId": PUBLIC,
        "applicationName": PUBLIC,
        "architecture": PUBLIC,
        "buildId": PUBLIC,
        "version": PUBLIC,
        "vendor": PUBLIC,
        "displayVersion": PUBLIC,
        "platformVersion": PUBLIC,
        "xpcomAbi": PUBLIC,
        "updaterAvailable": PUBLIC,
    },
    "experiments": {ANY_KEY: {"branch": PUBLIC, "enrollmentId": PUBLIC, "type": PUBLIC}},
    "partner": {
        "distributionId": PUBLIC,
        "distributionVersion": PUBLIC,
        "distributor": PUBLIC,
        "distributorChannel": PUBLIC,
        "partnerId": PUBLIC,
        "partnerNames": [PUBLIC],
    },
    "profile": {"creationDate": PUBLIC, "firstUseDate": PUBLIC, "resetDate": PUBLIC},
    "services": {"accountEnabled": PUBLIC, "syncEnabled": PUBLIC},
    "settings": {
        "addonCompatibilityCheckEnabled": PUBLIC,
        "blocklistEnabled": PUBLIC,
        "defaultSearchEngine": PUBLIC,
        "defaultSearchEngineData": {
            "loadPath": PUBLIC,
            "name": PUBLIC,
            "origin": PUBLIC,
            "submissionURL": PUBLIC,
        },
        "e10sEnabled": PUBLIC,
        "e10sMultiProcesses": PUBLIC,
        "fissionEnabled": PUBLIC,
        "intl": {
            "acceptLanguages": [PUBLIC],
            "appLocales": [PUBLIC],
            "availableLocales": [PUBLIC],
            "regionalPrefsLocales": [PUBLIC],
            "requestedLocales": [PUBLIC],
            "systemLocales": [PUBLIC],
        },
        "isDefaultBrowser": PUBLIC,
        "launcherProcessState": PUBLIC,
        "locale": PUBLIC,
        "sandbox": {"contentWin32kLockdownState": PUBLIC, "effectiveContentProcessLevel": PUBLIC},
        "searchCohort": PUBLIC,
        "telemetryEnabled": PUBLIC,
        "update": {"autoDownload": PUBLIC, "background": PUBLIC, "channel": PUBLIC, "enabled": PUBLIC},
        "userPrefs": {ANY_KEY: PUBLIC},
    },
    "system": {
        "appleModelId": PUBLIC,
        "cpu": {
            "cores": PUBLIC,
            "count": PUBLIC,
            "extensions": [PUBLIC],
            "family": PUBLIC,
            "isWindowsSMode": PUBLIC,
            "l2cacheKB": PUBLIC,
            "l3cacheKB": PUBLIC,
            "model": PUBLIC,
            "name": PUBLIC,
            "speedMHz": PUBLIC,
            "stepping": PUBLIC,
            "vendor": PUBLIC,
        },
        "gfx": {
            "ContentBackend": PUBLIC,
            "D2DEnabled": PUBLIC,
            "DWriteEnabled": PUBLIC,
            "EmbeddedInFirefoxReality": PUBLIC,
            "Headless": PUBLIC,
            "adapters": [
                {
                    "GPUActive": PUBLIC,
                    "RAM": PUBLIC,
                    "description": PUBLIC,
                    "deviceID": PUBLIC,
                    "driver": PUBLIC,
                    "driverDate": PUBLIC,
                    "driverVendor": PUBLIC,
                    "driverVersion": PUBLIC,
                    "subsysID": PUBLIC,
                    "vendorID": PUBLIC,
                }
            ],
            "features": {
                "advancedLayers": {"status": PUBLIC},
                "compositor": PUBLIC,
                "d2d": {"status": PUBLIC, "version": PUBLIC},
                "d3d11": {
                    "blocklisted": PUBLIC,
                    "status": PUBLIC,
                    "textureSharing": PUBLIC,
                    "version": PUBLIC,
                    "warp": PUBLIC,
                },
                "gpuProcess": {"status": PUBLIC},
                "hwCompositing": {"status": PUBLIC},
                "omtp": {"status": PUBLIC},
                "openglCompositing": {"status": PUBLIC},
                "webrender": {"status": PUBLIC},
                "wrCompositor": {"status": PUBLIC},
                "wrQualified": {"status": PUBLIC},
                "wrSoftware": {"status": PUBLIC},
            },
            "monitors": [
                {
                    "scale": PUBLIC,
                    "screenWidth": PUBLIC,
                    "screenHeight": PUBLIC,
                    "refreshRate": PUBLIC,
                    "pseudoDisplay": PUBLIC,
                }
            ],
        },
        "hasWinPackageId": PUBLIC,
        "hdd": {
            "binary": {"model": PUBLIC, "revision": PUBLIC, "type": PUBLIC},
            "profile": {"model": PUBLIC, "revision": PUBLIC, "type": PUBLIC},
            "system": {"model": PUBLIC, "revision": PUBLIC, "type": PUBLIC},
        },
        "isWow64": PUBLIC,
        "isWowARM64": PUBLIC,
        "memoryMB": PUBLIC,
        "os": {
            "hasPrefetch": PUBLIC,
            "hasSuperfetch": PUBLIC,
            "installYear": PUBLIC,
            "locale": PUBLIC,
            "name": PUBLIC,
            "servicePackMajor": PUBLIC,
            "servicePackMinor": PUBLIC,
            "version": PUBLIC,
            "windowsBuildNumber": PUBLIC,
            "windowsUBR": PUBLIC,
        },
        "sec": {"antivirus": [PUBLIC], "antispyware": [PUBLIC], "firewall": [PUBLIC]},
        "virtualMaxMB": PUBLIC,
    },
}
