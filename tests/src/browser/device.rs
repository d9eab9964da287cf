//! The device: size, touch, colour scheme, and whether anybody looks at the window.

use serde_json::json;

use super::Browser;

impl Browser {
    /// A desktop: 1280 by 900, a mouse.
    pub fn desktop(&self) {
        self.devtools(
            "Emulation.setTouchEmulationEnabled",
            &json!({ "enabled": false }),
        );
        self.screen(1280, 900, 1, false);
    }

    /// A phone: 390 by 844 at three device pixels to one, a finger.
    pub fn phone(&self) {
        self.devtools(
            "Emulation.setTouchEmulationEnabled",
            &json!({ "enabled": true }),
        );
        self.screen(390, 844, 3, true);
    }

    /// A phone's size at one device pixel to one, for small pictures.
    pub fn small_phone(&self) {
        self.devtools(
            "Emulation.setTouchEmulationEnabled",
            &json!({ "enabled": true }),
        );
        self.screen(390, 844, 1, true);
    }

    /// Sets the size of the screen in CSS pixels, and how many device pixels are one of them. A
    /// mobile screen lays pages out as phones do.
    pub fn screen(&self, width: u32, height: u32, scale: u32, mobile: bool) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile }),
        );
    }

    /// Prefers dark colours.
    pub fn dark(&self) {
        self.prefer("dark");
    }

    /// Prefers light colours.
    pub fn light(&self) {
        self.prefer("light");
    }

    fn prefer(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
    }

    /// Minimises the window, and waits until the document knows that nobody sees it.
    pub fn hide(&self) {
        self.ask(self.web.minimize_window())
            .expect("a window can be minimised");
        self.wait_for(
            "the document to be hidden",
            "return document.visibilityState === 'hidden'",
        );
    }

    /// Brings the window back, and waits until the document knows.
    pub fn show(&self) {
        // Setting a size restores a window, by the rules of WebDriver.
        self.ask(self.web.set_window_rect(0, 0, 1300, 1000))
            .expect("a window can be brought back");
        self.wait_for(
            "the document to be visible",
            "return document.visibilityState === 'visible'",
        );
    }
}
